# What is installed: headers, libraries, programs, and what CMake and pkg-config read. A component of
# find_package(haypile) is a set of targets of its name, and a name in haypile_components.
set(haypile_cmake_directory ${CMAKE_INSTALL_LIBDIR}/cmake/haypile)
set(haypile_components client)
install(TARGETS haypile_amqp haypile_client EXPORT haypile-client)
install(DIRECTORY client/include/haypile ${PROJECT_BINARY_DIR}/include/haypile
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(HAYPILE_TOOLS)
  install(TARGETS haypile_program)
  set(documented haypile)
endif()

if(HAYPILE_BROKER)
  list(APPEND haypile_components broker)
  install(TARGETS haypile_engine haypile_log haypile_vhost haypile_session haypile_broker
    EXPORT haypile-broker)
  install(DIRECTORY broker/include/haypile DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  if(HAYPILE_TOOLS)
    install(TARGETS haypiled)
    list(APPEND documented haypiled)
  endif()
endif()

# The programs have printed them, see haypile_documents().
foreach(program IN LISTS documented)
  install(FILES ${PROJECT_BINARY_DIR}/documents/${program}.1
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${PROJECT_BINARY_DIR}/documents/${program}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endforeach()

foreach(component IN LISTS haypile_components)
  install(EXPORT haypile-${component} NAMESPACE haypile:: FILE haypile-${component}-targets.cmake
    DESTINATION ${haypile_cmake_directory})
endforeach()

# What a program has to link as well: all of it with a static client, nothing with a shared one.
set(haypile_dependencies)
set(private_libraries -lhaypile_amqp)
if(HAYPILE_TLS)
  list(APPEND haypile_dependencies OpenSSL)
  list(APPEND private_libraries -lssl -lcrypto)
endif()
list(APPEND private_libraries -pthread)
list(JOIN private_libraries " " private_libraries)
set(pc_libraries -lhaypile_client)
if(BUILD_SHARED_LIBS)
  set(haypile_dependencies)
else()
  string(APPEND pc_libraries " ${private_libraries}")
  set(private_libraries)
endif()

configure_file(client/cmake/haypile-config.cmake.in haypile-config.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/haypile-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/haypile-config.cmake
  ${PROJECT_BINARY_DIR}/haypile-config-version.cmake
  DESTINATION ${haypile_cmake_directory})

file(RELATIVE_PATH includes_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
  ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(client/cmake/haypile-client.pc.in haypile-client.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/haypile-client.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
